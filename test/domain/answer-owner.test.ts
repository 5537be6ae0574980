import { describe } from 'vitest';
import { parseReasoningAnswer } from '../../domain/parse-answer.ts';
import { bothWays, final, form, reads } from './phrasings.ts';

describe('an answer that is none of the text’s own, or none at all', () => {
  reads(
    bothWays([
      // Denied.
      ['The answer is not yes.', null],
      ["The answer isn't yes.", null],
      ['The answer is never yes.', null],
      ['It is not true that the answer is yes.', null],
      ["I don't think the answer is yes.", null],
      ['We cannot conclude that the answer is yes.', null],
      ['It would be wrong to say that the answer is yes.', null],
      ['I doubt that the answer is yes.', null],
      ['"The answer is yes" is wrong.', null],
      ['The answer is yes is incorrect.', null],
      ['It is not clear whether the answer is yes.', null],
      // Open.
      ['The answer is yes or no.', null],
      ['The answer is YES/NO', null],
      ['The answer is: **[YES/NO]**', null],
      ['the answer is: <YES|NO>', null],
      ['the answer is: yes | no', null],
      ['The answer is yes and no.', null],
      ['The answer is either yes or no.', null],
      ['The answer is both yes and no.', null],
      ['The answer is neither yes nor no.', null],
      ['The answer is yes, or maybe no.', null],
      ['The answer is yes or maybe no.', null],
      ['Answer: yes (or no)', null],
      ['The answer is maybe yes.', null],
      ['The answer is unknown.', null],
      ['Answer with yes or no.', null],
      // On a condition, or asked.
      ['The answer is yes if you count whales.', null],
      ['The answer is yes, unless it rains.', null],
      ['If the answer is yes, then it holds.', null],
      ['Let us see whether the answer is yes.', null],
      ['Suppose the answer is yes.', null],
      ['The answer is yes?', null],
      ['The answer is yes, right?', null],
      // Of another.
      ['The draft said the answer is yes.', null],
      ['The draft says that the answer is yes.', null],
      ['The student claims that the final answer is yes.', null],
      ['The student believes the answer is yes.', null],
      ['The student’s draft suggests that the answer is yes.', null],
      ['He said the answer is yes.', null],
      ['You wrote that the answer is yes.', null],
      ['One might think the answer is yes.', null],
      ['Someone could argue that the answer is yes.', null],
      ["The student's answer is yes.", null],
      ["The student's final answer: yes", null],
      ['Draft answer: yes', null],
      ['Student answer: yes', null],
      ['{"student_answer": "yes"}', null],
      ['Your answer is yes.', null],
      ['The wrong answer is yes.', null],
      ['The opposite answer would be yes.', null],
      ['The draft reads: “the answer is yes”.', null],
      ['The draft reads "the answer is yes".', null],
      ['The student wrote:\nthe answer is yes', null],
      ['The student wrote:\n"The answer is yes."', null],
      ['The student wrote:\n> The answer is yes.', null],
      ['At first glance the answer is yes.', null],
    ]),
    parseReasoningAnswer,
  );
  reads(
    [
      // Words that hold a label, and a `no` that belongs to the next word.
      ['The answer is known.', null],
      ['The answer is Norway.', null],
      ['The answer is another one.', null],
      ['The answer is yesterday.', null],
      ['The answer is nobody.', null],
      ['The answer is none.', null],
      ['The answer is nö.', null],
      ['The answer is no-one.', null],
      ['The answer is no one.', null],
      ['The answer is no longer clear.', null],
      ['The answer is no secret.', null],
      ['The answer is no doubt yes.', null],
      ['The answer is No. 5.', null],
      ['The answer is yes-man.', null],
      ['The answer is no1.', null],
      ['Answer: No evidence was found.', null],
      ['The answer is that no one knows', null],
      ['He answered no.', null],
      // Other labels, and texts cut off.
      ['The answer is true.', null],
      ['The answer is: **FALSE**', null],
      ['The answer is: **YE', null],
      ['The answer is: **', null],
      ['Based on this analysis, the answer', null],
      ['## Final Assess', null],
      ['yes\nno\nyes', null],
      ['Is the answer no? Yes.', null],
      ['', null],
    ],
    parseReasoningAnswer,
  );
});

describe('its own answer, whatever it says of others', () => {
  reads(
    bothWays([
      ['I think the answer is clearly yes.', 'yes'],
      ['I believe the answer is yes.', 'yes'],
      ['We can conclude that the answer is yes.', 'yes'],
      ['It can be said that the answer is yes.', 'yes'],
      ['The evidence suggests that the answer is yes.', 'yes'],
      ['This implies that the answer is yes.', 'yes'],
      ['The draft is wrong: the answer is yes.', 'yes'],
      ['The draft is wrong, the answer is yes.', 'yes'],
      ["The student's draft is right. The answer is yes.", 'yes'],
      ['Contrary to what the student said, the answer is yes.', 'yes'],
      ['Unlike the draft, the answer is yes.', 'yes'],
      ['As the draft says, the answer is yes.', 'yes'],
      ['The draft said the answer is no, but the answer is yes.', 'yes'],
      ['The student says no; the answer is yes.', 'yes'],
      ['Because he did not go, the answer is yes.', 'yes'],
      ['Although it is not certain, the answer is yes.', 'yes'],
      ['If we count whales, the answer is yes.', 'yes'],
      ['The answer is yes because no one has seen it.', 'yes'],
      ['The answer is yes. If you want more, ask.', 'yes'],
      ['The answer is yes, not no.', 'yes'],
    ]),
    parseReasoningAnswer,
  );
  reads(
    [
      ['The answer is no because it cannot.', 'no'],
      ['The answer is no, it cannot.', 'no'],
      ['The answer is no as it cannot.', 'no'],
      ['The answer is NO evidence or not.', 'no'],
      ['The answer is no. 3 facts say so.', 'no'],
    ],
    parseReasoningAnswer,
  );
});

describe('several answers', () => {
  reads(
    bothWays([
      // They agree.
      [`${form}\n${form}`, 'yes'],
      ['The answer is yes. The answer is yes.', 'yes'],
      [`${form}\nActually, the answer is yes.`, 'yes'],
      // The asked form again, said to be a revision or under a heading of its own: the last one.
      [`${form}\nOn reflection, the answer is: **NO**`, 'no'],
      [`${form}\nActually, the answer is: **NO**`, 'no'],
      [`${form}\nWait, I made a mistake. Based on this analysis, the answer is: **NO**`, 'no'],
      // The asked form twice, without a word in between.
      [`${form}\nBased on this analysis, the answer is: **NO**`, null],
      [`${final}\nBased on this analysis, the answer is: **NO**`, null],
      ['the answer is: **YES** the answer is: **NO**', null],
      // The asked form, taken back in other words: it cannot be told.
      [`${form}\nActually, the answer is no.`, null],
      [`${form}\nWait, no.`, null],
      [`${form}\nCorrection: NO`, null],
      [`${form}\nOn second thought, the answer is no.`, null],
      [`${final} Sorry, I was wrong. The answer is no.`, null],
      // What another takes back is not taken back.
      [`${form}\nThe draft actually said the answer is no.`, 'yes'],
      // No form: the last one counts where words lead over to it.
      ['The answer is no. Actually, the answer is yes.', 'yes'],
      ['The answer is no. So, all in all, the answer is yes.', 'yes'],
      ['At first sight the answer is no. Therefore the answer is yes.', 'yes'],
      ['1. Is it red? The answer is no.\n2. Is it blue? The answer is no.\nTherefore, the answer is yes.', 'yes'],
      ['The answer is no. The answer is yes.', null],
      ['Answer: no\nAnswer: yes', null],
    ]),
    parseReasoningAnswer,
  );
});
